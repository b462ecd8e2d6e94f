"""Files as pieces of rows: CSV, Parquet, Arrow, arrays.

csv          CSV by pyarrow, several blocks at a time
csv_blocks   text, cut into blocks of rows
csv_errors   errors of CSV
typed        Parquet, Arrow, .npy, arrays
pieces       the output of every reader
"""
