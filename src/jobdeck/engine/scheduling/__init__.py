"""Which jobs start: the lead, the index of the queue, the decision, free places, and why the others wait."""
