"""One reader per layout of bytes; ``wxreg.data.table`` names them."""
