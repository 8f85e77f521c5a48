// Package idnum knows the numbers of the documents that people are known by,
// and how to show a little of them.
//
//	resident_id      resident identity card, GB 11643: region, birth date,
//	                 sequence, check digit; also the residence permits of Hong
//	                 Kong, Macau and Taiwan residents, which share the format
//	hk_macau_permit  mainland travel permit for Hong Kong and Macau residents
//	taiwan_permit    mainland travel permit for Taiwan residents
//	passport         any state's, ICAO Doc 9303
//	foreign_pr       foreigner's permanent residence card: 18 digits since
//	                 December 2023, before that 3 letters and 12 digits
//
// What it promises: a Document that Parse returns is normalised, so that the
// same number written in another way is the same string; a resident's number
// has a province that exists, a day of birth that exists and lies between 1850
// and today, and the right check digit. A county that isn't in the current table
// is no error but a note: counties are merged and renamed, and elders keep the
// number they were given.
//
// What it doesn't: it cannot tell whether a number was ever issued, or to whom.
// Numbers of 15 digits, of the first generation of cards, lapsed on 2013-01-01
// and are refused. It logs nothing, and its errors never quote the number.
//
// county.txt, the table of current counties, is made by gen from public data;
// it carries codes only, no names.
package idnum
