"""Models for candle, for tests and measurements."""
