"""Who may come in, as rows: principals, tokens, sessions."""
