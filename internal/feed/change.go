package feed

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/citycode/citycode/internal/db"
)

// Kept is how long changes stay in the database at least. A snapshot that is
// older can't be brought up to date from the feed.
const Kept = 24 * time.Hour

// Change is one change in a stream.
type Change struct {
	Stream, Seq int64
	At          int64 // Unix milliseconds, on the writer's clock
	Topic       string
	Payload     []byte // what the topic's owner put there; no personal data
}

// Insert writes changes to their streams. The caller gives the numbers, and
// raises node.head in the same transaction.
func Insert(ctx context.Context, q db.Querier, changes ...Change) error {
	// In pieces whose sizes are powers of two: at most nine texts to prepare,
	// whatever the number of rows. 256 rows are 1,280 parameters.
	for size := 256; size > 0; size /= 2 {
		for len(changes) >= size {
			args := make([]any, 0, 5*size)
			for _, c := range changes[:size] {
				payload := c.Payload
				if payload == nil {
					payload = []byte{}
				}
				args = append(args, c.Stream, c.Seq, c.At, c.Topic, payload)
			}
			if _, err := q.Exec(ctx, insertText(size), args...); err != nil {
				return err
			}
			changes = changes[size:]
		}
	}
	return nil
}

func insertText(rows int) string {
	var b strings.Builder
	b.WriteString("insert into change (stream, seq, at, topic, payload) values ")
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		for j := range 5 {
			b.WriteString([...]string{"($", ", $", ", $", ", $", ", $"}[j])
			b.WriteString(strconv.Itoa(5*i + j + 1))
		}
		b.WriteByte(')')
	}
	return b.String()
}

// Purge deletes at most limit changes older than Kept and says how many.
func Purge(ctx context.Context, q db.Querier, now time.Time, limit int) (int64, error) {
	return q.Exec(ctx, `delete from change where (stream, seq) in
		(select stream, seq from change where at < $1 order by at limit $2)`, now.Add(-Kept).UnixMilli(), limit)
}
