"""The two pages a buyer sees of us: on the way to DANA and on the way back."""
