"""What the labels are worth without the encoder, on the same folds."""
