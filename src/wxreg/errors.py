"""The one error tree, grouped by what the caller will do about it.

    RegError                     exit  code
    ├── UsageError               2     REG-2xx   retype the command
    ├── NotFound                 3     REG-3xx   pick another name (near names are given)
    ├── Incompatible             4     REG-4xx   change the request (the rule is named)
    ├── IntegrityError           5     REG-5xx   stop trusting these bytes
    ├── Conflict                 6     REG-6xx   wait, or choose another target
    ├── ExternalError            7     REG-7xx   the fault is outside; try again or look there
    └── StorageError             8     REG-8xx   make room or gain the right to write

The hundreds digit of a code is the exit status; the tens digit is the part of wxreg that
raised it (0 words and specs, 1 resolve, 2 ledger and artifacts, 3 data, 4 models, 5 scores,
6 runs, 7 audit and reports, 8 publishing and exchange, 9 command line).  `CODES` is the
list of all of them; `docs/errors.md` is rendered from it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import ClassVar, Final

CODES: Final = MappingProxyType(
    {
        # 2xx usage
        "REG-200": "a value on the command line or in a file does not parse",
        "REG-201": "a file is not readable YAML",
        "REG-202": "a file does not match its schema",
        "REG-203": "a path leaves the place it must stay in",
        "REG-204": "no workspace was found",
        "REG-205": "a duration does not parse",
        "REG-206": "units do not convert",
        "REG-220": "a head of the log does not parse",
        "REG-221": "the ledger cannot write a value that JSON has no form for",
        "REG-222": "the address of the ledger is none that wxreg can use",
        "REG-223": "the beginning of a digest fits several artifacts",
        "REG-224": "a tensor or tree cannot be stored or digested as it is",
        "REG-290": "a command was called with words it does not take",
        "REG-235": "batches cannot be formed as asked",
        "REG-230": "a request for data does not make sense",
        "REG-241": "an ensemble or average of no checkpoints was asked for",
        "REG-240": "a setting of an architecture, loss or sampler is wrong",
        "REG-250": "an event expression does not parse",
        "REG-260": "a run cannot be used in the way that was asked for",
        "REG-280": "a card or its template does not render as the Hub reads it",
        "REG-270": "a key cannot be used to sign or verify",
        # 3xx not found
        "REG-300": "no entry of that name",
        "REG-301": "no file at that place",
        "REG-302": "no variable of that name",
        "REG-320": "the ledger has no such run",
        "REG-321": "the ledger has no such artifact",
        "REG-322": "the ledger has no such document",
        "REG-380": "no dataset version of that name is pinned",
        "REG-381": "the Hub has no such repository, revision, file or published model",
        "REG-335": "a store or file lacks a variable, level or time that was asked for",
        "REG-330": "no reader, variable or time of that name in the data",
        "REG-340": "a declared file of weights is not there",
        "REG-350": "no metric of that name",
        "REG-360": "no run or checkpoint answers to that",
        "REG-370": "an artifact of the ledger, or what it was made from, is not here",
        "REG-372": "an output that dvc.lock names is not what is here",
        "REG-373": "today's files of the registry resolve to another plan than a run had",
        "REG-371": "a file that looks like an artifact has no record",
        # 4xx incompatible
        "REG-400": "the request cannot be resolved into a plan",
        "REG-401": "an entry refers to itself through its bases",
        "REG-402": "the file was written for a newer version of wxreg",
        "REG-420": "the ledger was written by a newer version of wxreg",
        "REG-435": "a split has too few windows",
        "REG-436": "two stores do not lie on matching grids",
        "REG-437": "the layout of a file is not the one that was declared",
        "REG-438": "data of one split are in another",
        "REG-430": "a source does not fit what its description says",
        "REG-431": "a field claims more cells than the limit allows",
        "REG-433": "a variable can be neither read nor derived",
        "REG-432": "times are missing and the gap policy refuses",
        "REG-447": "a system without a training loss was asked to train",
        "REG-448": "a baseline was not fitted",
        "REG-449": "a baseline or downscaler needs a target among its inputs",
        "REG-440": "a grid does not fit the network",
        "REG-441": "a variable has no statistics",
        "REG-442": "weights belong to another network",
        "REG-443": "a loss needs fields that the model does not predict",
        "REG-444": "a composite lacks one of its members",
        "REG-445": "a roll-out needs inputs that the model does not predict",
        "REG-446": "the rows of a grid do not run from north to south",
        "REG-450": "score states of different layout cannot be merged",
        "REG-451": "a score cannot be formed from these fields",
        "REG-460": "a training cannot be carried out as declared",
        "REG-461": "a forecast cannot be made as declared, or from these times",
        "REG-462": "a draft cannot be run",
        "REG-464": "a run cannot be reproduced",
        "REG-465": "a forecast cannot be scored as asked",
        "REG-466": "scores of unlike protocols cannot be compared",
        "REG-463": "a checkpoint does not say what it belongs to",
        "REG-470": "a published result stands on data that may still be revised",
        "REG-471": "a licence along the chain forbids what the model's own allows",
        # 5xx integrity
        "REG-500": "bytes do not match their recorded digest",
        "REG-520": "the log of the ledger is broken",
        "REG-521": "the tables of the ledger differ from its log",
        "REG-522": "the log has lost events that it once held",
        "REG-523": "a file is not a checkpoint that is safe to read",
        "REG-524": "the clock was set back between two events of the log",
        "REG-580": "a dataset version is damaged and no remote has it whole",
        "REG-581": "what the Hub holds is not what was published",
        "REG-582": "a repository holds a file that could run a program when opened",
        "REG-535": "the times of a store or of several files contradict each other",
        "REG-536": "a source file is damaged",
        "REG-537": "a store does not say what made it",
        "REG-530": "a data file is damaged or cut short",
        "REG-531": "several messages or times match where one must",
        "REG-542": "the weights of a perceptual network are not the declared ones",
        "REG-540": "weights hold values that are not finite",
        "REG-541": "statistics read back from a library differ from the declared ones",
        "REG-560": "a file is not the one that the plan pins",
        "REG-570": "the lineage has a hole or runs in a circle",
        "REG-571": "a stored plan no longer has its digest",
        "REG-572": "a bundle is not what its manifest says",
        "REG-573": "a signature does not verify",
        # 6xx conflict
        "REG-600": "the target exists already",
        "REG-620": "another process holds the ledger",
        "REG-621": "the ledger has a run of that id already",
        "REG-622": "the run has ended already",
        "REG-680": "a released dataset version cannot change",
        "REG-681": "somebody else committed to the repository meanwhile",
        "REG-682": "another release already has that tag",
        "REG-684": "several trainings could be meant, and none was published yet",
        "REG-683": "the workspace has another file where a pulled one belongs",
        "REG-538": "a forecast lacks fields",
        "REG-635": "a forecast is still being written or was left unfinished",
        "REG-630": "a store is being prepared by another process",
        "REG-660": "a run of this plan is in the way",
        "REG-670": "something that is kept or published still needs this artifact",
        # 7xx external
        "REG-700": "a service or file outside wxreg failed",
        "REG-720": "the database server failed",
        "REG-780": "DVC or its remote failed",
        "REG-781": "the Hub refuses the token, or it lacks a right",
        "REG-782": "the Hub failed or the connection to it broke off",
        "REG-783": "the Hub asks for a pause",
        "REG-735": "a file could not be fetched from the archive",
        "REG-730": "a data source could not be read",
        "REG-740": "a library that an architecture is built on is not installed",
        "REG-760": "memory ran out",
        "REG-770": "sigstore cannot be used",
        "REG-761": "a dask cluster cannot be reached, or lost its workers",
        # 8xx storage
        "REG-800": "the disk is full or not writable",
        "REG-820": "the place of the ledger or an artifact is full or not writable",
        "REG-830": "a store could not be written",
    }
)


class RegError(Exception):
    """An error that says what is wrong, where, and how to mend it."""

    exit_code: ClassVar[int] = 1

    def __init__(
        self, code: str, message: str, *, where: str | None = None, hint: str | None = None
    ) -> None:
        if code not in CODES or (self.exit_code != 1 and code[4] != str(self.exit_code)):
            raise AssertionError(f"{type(self).__name__} raised with an unlisted code {code}")
        super().__init__(message)
        self.code = code
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        remedy = f"\n  {self.hint}" if self.hint else ""
        return f"{place}{self.message}{remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.code, self.message, self.where, self.hint))


def _rebuild(
    kind: type[RegError], code: str, message: str, where: str | None, hint: str | None
) -> RegError:
    return kind(code, message, where=where, hint=hint)


class UsageError(RegError):
    """The words given do not make sense: retype them."""

    exit_code = 2


class NotFound(RegError):
    """Nothing has that name; `hint` lists the near ones."""

    exit_code = 3


class Incompatible(RegError):
    """The parts exist but do not fit together; the rule and the nearest fits are named."""

    exit_code = 4


class IntegrityError(RegError):
    """Bytes, digests or history disagree: do not trust them."""

    exit_code = 5


class Conflict(RegError):
    """Something is already there or already running."""

    exit_code = 6


class ExternalError(RegError):
    """A service, file or library outside wxreg failed."""

    exit_code = 7


class StorageError(RegError):
    """The disk is full, read-only or over quota."""

    exit_code = 8
