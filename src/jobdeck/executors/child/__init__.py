"""The inside of a child process: takes tasks one after the other from its worker and runs them."""
