package intake

import (
	"context"
	"errors"

	"github.com/citycode/citycode/internal/db"
)

// position is how far a file has come.
type position struct {
	id         [32]byte
	kind       string
	fileRows   int64
	doneRows   int64
	finishedAt *int64 // Unix ms
	updatedAt  int64
}

// readPosition returns how many rows an unfinished run of the file has done; 0
// when it is new or finished, or when another file of the kind was carried in
// since: its rows may have changed what that run had written.
func readPosition(ctx context.Context, q db.Querier, id [32]byte, kind string) (int64, error) {
	var done, updated int64
	var finished *int64
	err := q.QueryRow(ctx, `select done_rows, finished_at, updated_at from import_job where digest = $1`, id[:]).Scan(&done, &finished, &updated)
	if errors.Is(err, db.ErrNoRows) || finished != nil {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var others int64
	err = q.QueryRow(ctx, `select count(*) from import_job where kind = $1 and digest <> $2 and updated_at >= $3`, kind, id[:], updated).Scan(&others)
	if err != nil || others > 0 {
		return 0, err
	}
	return done, nil
}

func writePosition(ctx context.Context, q db.Querier, p position) error {
	_, err := q.Exec(ctx, `insert into import_job (digest, kind, file_rows, done_rows, finished_at, updated_at) values ($1, $2, $3, $4, $5, $6)
		on conflict (digest) do update set file_rows = excluded.file_rows, done_rows = excluded.done_rows,
		finished_at = excluded.finished_at, updated_at = excluded.updated_at`,
		p.id[:], p.kind, p.fileRows, p.doneRows, p.finishedAt, p.updatedAt)
	return err
}
