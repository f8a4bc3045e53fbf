"""Training, evaluation and export of the embedded networks. Needs the `torch` extra.

python -m faceparse_core.training train|evaluate|export parser|heads --help
"""
