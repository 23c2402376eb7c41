"""What holds for every request, whatever it is about: who asks, how much and how often, and how a no is said."""
