"""What a trial does to a model: run made-up inputs, replay goldens, measure whether batches pay."""
