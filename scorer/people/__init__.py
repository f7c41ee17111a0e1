"""What a person may ask for: to be forgotten, proof of it, and to see what is held of them."""
