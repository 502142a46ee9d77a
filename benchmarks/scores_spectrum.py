"""The power spectrum of one field, against its Fourier transform alone."""

from __future__ import annotations

from measure import Figure, paired, report
from scipy.fft import rfft2
from scores_fields import ensemble

from wxreg.scores.spectra import Spectrum


def main() -> list[Figure]:
    field = ensemble(1)[1]
    spectrum = Spectrum(3.0, 3.0, threads=2)
    pair = paired(lambda: spectrum.power(field), lambda: rfft2(field, workers=2), 25)
    return [pair.figure("scores_spectrum", 1.5)]


if __name__ == "__main__":
    report(main())
