"""How rows get into a lake table, all at once or not at all: staged files, keys compared, one commit, undo."""
