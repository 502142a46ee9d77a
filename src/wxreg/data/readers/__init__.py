"""One reader per layout of bytes; ``wxreg.specs.architecture.READERS`` names them."""
