// Package tabular reads files of records that people and departments hand in:
// CSV and NDJSON, as spreadsheets and databases really write them.
//
// # Promises
//
//   - A file is looked at whole before its first row is given out: its encoding
//     is UTF-8 or GB18030 (which holds GBK and GB 2312), with or without a mark
//     at its start, or Open refuses it and names what it found and where. Text
//     is never guessed row by row.
//   - What is wrong with one row (a quote that doesn't close, a cell too many,
//     a line cut off at the end of half a file) is a Problem of that row and
//     never costs another row.
//   - Column names are matched without regard to case, spaces and their Chinese
//     forms, as the caller lists them; a missing, doubled or unnamed column is
//     refused before anything is read.
//   - Memory doesn't grow with the file, except in Seen, which keeps about 30
//     bytes a row.
//   - No error of this package holds a value of the file: those are personal
//     data. Rows are named by the number of the line they start on, the first
//     line being 1.
//
// # Limits
//
// A record has at most 64 KiB and 200 columns. Excel workbooks, UTF-16 and
// files of one JSON array are refused with the words how to save them. A text
// in an 8-bit Western encoding can by chance be valid GB18030; Open refuses it
// where most of its characters would be rare ones, which catches names with
// accents but proves nothing.
//
// It reads and writes files only, and owns no tables.
package tabular
