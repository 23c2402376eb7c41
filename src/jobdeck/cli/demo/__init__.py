"""`jobdeck demo`: its data, its server, and the proof that every row arrived."""
