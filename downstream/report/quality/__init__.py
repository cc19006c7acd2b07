"""What the vectors and predictions say of the data: wrong labels, duplicates, leaks, balance."""
