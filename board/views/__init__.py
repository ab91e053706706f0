"""The pages: each asks the store and says what there is to see."""
