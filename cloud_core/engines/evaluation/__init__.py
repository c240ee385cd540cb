"""How good answers are: questions with the facts that a right answer holds, or that nothing answers."""
