"""The command `featurize`: the top floor, the only place that imports both packages."""
