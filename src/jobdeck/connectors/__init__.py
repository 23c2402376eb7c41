"""Where data lives. Every system is a folder of config, types, source and sink; all of it is plain blocking code over Arrow."""
