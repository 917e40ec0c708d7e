"""The exercises: one file each, in a folder per chapter; the library in `dlexp` never imports them."""
