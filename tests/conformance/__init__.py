"""What every backend must do. One suite, split by concern; no test knows which backend it runs on."""
