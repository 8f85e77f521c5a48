package idnum

import (
	_ "embed"
	"sort"
	"strings"
)

// countyTable is county.txt: a header, an empty line, then one code a line in
// order, so that a search needs no index in memory.
//
//go:embed county.txt
var countyTable string

const countyLine = len("310101\n")

// knownProvince tells whether the first two digits of a region are in use.
// 71, 81 and 82 are Taiwan, Hong Kong and Macau in GB/T 2260; the residence
// permits issued since 2018 use 810000, 820000 and, for Taiwan, 830000.
func knownProvince(two string) bool {
	switch two {
	case "11", "12", "13", "14", "15", // north
		"21", "22", "23", // north-east
		"31", "32", "33", "34", "35", "36", "37", // east
		"41", "42", "43", "44", "45", "46", // centre and south
		"50", "51", "52", "53", "54", // south-west
		"61", "62", "63", "64", "65", // north-west
		"71", "81", "82", "83":
		return true
	}
	return false
}

// knownCounty tells whether the region is in today's table.
func knownCounty(region string) bool {
	switch region {
	case "810000", "820000", "830000":
		return true
	}
	_, codes, _ := strings.Cut(countyTable, "\n\n")
	n := len(codes) / countyLine
	i := sort.Search(n, func(i int) bool { return codes[i*countyLine:i*countyLine+6] >= region })
	return i < n && codes[i*countyLine:i*countyLine+6] == region
}
