"""Files as pieces of rows: CSV, Parquet, Arrow, arrays.

csv          CSV by pyarrow, blocks side by side
csv_blocks   text, cut into blocks of rows
csv_errors   what can be wrong with CSV
typed        Parquet, Arrow, .npy, arrays
pieces       what every reader returns
"""
