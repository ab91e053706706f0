"""The commands of ``prinia`` that need no web framework. ``board.cli`` puts them together with its own.

Nothing heavy is imported until a command runs: ``prinia --help`` has to answer at once.
"""
