"""What several packages' tests share."""
