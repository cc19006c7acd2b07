"""`python -m featurize` is the command `featurize`."""

from featurize.cli.main import main

if __name__ == "__main__":
    main()
