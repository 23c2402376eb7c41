"""Files of every format, written by four tools, mangled or random, read by Jobdeck and by those tools, and compared."""
