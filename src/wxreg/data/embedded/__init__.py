"""The embedded world: one synthetic atmosphere, and the five small datasets cut from it.

`python -m wxreg.data.embedded OUT` writes them all again.  The weather is a function of place
and time (no grid, no time step), so HRRR, SEVIR, CONUS404 and ERA5 see the same storms.
The layers, from the ground up:

    clock        hours since 2000, sun and season
    terrain      ridges, hills and lakes
    places       the points of a grid, with their terrain
    motion       steering wind and travelling waves
    background   temperature, moisture, wind, pressure and instability without storms
    storms       the catalogue of cells and how they are drawn on a grid
    weather      background and storms together
    hrrr, sevir, conus404, era5, cmip6    the real layouts
"""
