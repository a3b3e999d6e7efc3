"""From the files of ``mmctl predict -i`` to rows: one file per form."""
