"""Where data lives: a folder of config, types, source and sink for every system; plain blocking code over Arrow."""
