// Package limit keeps one caller from taking what belongs to all: rates per
// caller or address, and gates that shed load before the process collapses.
//
// It keeps its counts in this process's memory, bounded; two nodes count apart,
// so a caller who alternates between n nodes gets up to n times the rate.
// It owns no tables.
package limit
