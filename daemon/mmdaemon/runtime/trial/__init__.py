"""Tries a model: runs made-up inputs, replays goldens, measures whether batches gain."""
