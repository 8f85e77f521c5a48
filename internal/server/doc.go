// Package server puts the rooms together: it knows every one of them and no
// other package does.
//
// Open gives the Core, what commands and servers share: the database, the keys,
// this process's committer, the change feed, people and statuses. New makes the
// HTTP server around a Core; Run serves until its context ends, then drains:
// it stops being ready, lets requests finish, lets the committer empty its
// queue, signs a last checkpoint and closes the database.
package server
