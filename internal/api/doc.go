// Package api is the HTTP interface: it decodes, calls one capability, encodes.
//
// Every operation under /v1 is registered through register, which settles in
// this order who calls (401), whether they may (403), how often (429), whether
// there is room (503), and only then reads the body (413, 415, 422). Errors are
// RFC 9457 problems with a stable code; their sentences follow Accept-Language
// (zh-CN or en), the codes never change.
//
// The OpenAPI 3.1 document is generated from the types here and kept as a golden
// file (testdata/openapi.json); every operation names who may call it in
// x-caller. The package never touches a database.
package api
