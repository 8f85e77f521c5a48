// Package person keeps the city's residents: who they are, by which document
// they are found, and whether their codes are good at all.
//
// # Promises
//
//   - Name, document number, phone and birth date are sealed as one value, the
//     photo as another, under a key of the person's own (keys.PersonKeys), bound
//     to the person and to what they are. What stays clear is the kind of
//     document, the year of birth and the district, for statistics.
//   - A person is found by a keyed digest of their document, so that a stolen
//     database without the key file shows no person and can't be searched.
//   - A handle is 64 random bits. It says nothing about the person, and is what
//     logs, audit entries, URLs and other packages know them by.
//   - Put and Import are idempotent: a document that is known is the same
//     person, and a record that says what is known changes nothing. A record
//     counts whole, but for the photo: a record without one leaves the photo
//     that is there, and an import file without a column leaves what it holds.
//   - Person, look-up, first status and, in an import, the position in the file
//     enter in one transaction; the keys are durable before it. A process killed
//     in between leaves keys of nobody, and nothing else.
//   - Photos are JPEG of at most 200 KiB, freed of metadata (place, device,
//     time) but for their orientation. A path in a file can't lead out of the
//     file's folder.
//
// # Limits
//
// One document a person: that somebody's passport and resident identity card
// are the same person is not known here. A changed document number makes a new
// person. Names are compared and stored as they were written, in Unicode's
// composed form as the file reader makes it, with one middle dot for all its
// lookalikes. Whether the records are true is for the registry that supplies
// them.
//
// It owns the tables person, person_index and person_photo.
package person
