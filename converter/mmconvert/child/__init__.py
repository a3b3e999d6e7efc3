"""Native steps run in processes of their own, with limits; a crash there is an error here."""
