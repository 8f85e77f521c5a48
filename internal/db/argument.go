package db

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/citycode/citycode/internal/fault"
)

// arguments turns a statement's arguments into the few types that both engines
// take alike: string, int64, bool, []byte and nil; slices only where allowed.
func arguments(args []any, slices bool) ([]any, error) {
	out := make([]any, len(args))
	for i, a := range args {
		v, err := argument(a, slices)
		if err != nil {
			return nil, fmt.Errorf("argument $%d: %w", i+1, err)
		}
		out[i] = v
	}
	return out, nil
}

func argument(a any, slices bool) (any, error) {
	switch v := a.(type) {
	case nil, int64, bool:
		return v, nil
	case string:
		return v, checkText(v)
	case int:
		return int64(v), nil
	case []byte:
		if v == nil {
			return nil, nil
		}
		return v, nil
	case []int64:
		if slices {
			return v, nil
		}
	case []string:
		if slices {
			for _, s := range v {
				if err := checkText(s); err != nil {
					return nil, err
				}
			}
			return v, nil
		}
	case [][]byte, []bool:
		if slices {
			return v, nil
		}
	}
	return reflected(reflect.ValueOf(a), slices)
}

// reflected handles named types, pointers and the rarer numbers.
func reflected(v reflect.Value, slices bool) (any, error) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return argument(v.Elem().Interface(), slices)
	case reflect.String:
		return v.String(), checkText(v.String())
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.Uint() > math.MaxInt64 {
			return nil, fmt.Errorf("%s too large for bigint", v.Type())
		}
		return int64(v.Uint()), nil
	case reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			b := make([]byte, v.Len())
			reflect.Copy(reflect.ValueOf(b), v)
			return b, nil
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if v.IsNil() {
				return nil, nil
			}
			return v.Bytes(), nil
		}
		if slices {
			return reflectedSlice(v)
		}
		return nil, fmt.Errorf("%s: slices are for PostgreSQL only", v.Type())
	}
	return nil, fmt.Errorf("a %T isn't text, bigint, boolean or bytea", v.Interface())
}

// reflectedSlice gives []any with nil for NULL, or a plain slice where every
// element is of one kind and none is NULL, which the driver encodes faster.
func reflectedSlice(v reflect.Value) (any, error) {
	switch v.Type().Elem().Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		out := make([]int64, v.Len())
		for i := range out {
			n, err := reflected(v.Index(i), false)
			if err != nil {
				return nil, err
			}
			out[i] = n.(int64)
		}
		return out, nil
	case reflect.String:
		out := make([]string, v.Len())
		for i := range out {
			out[i] = v.Index(i).String()
			if err := checkText(out[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	out := make([]any, v.Len())
	for i := range out {
		e, err := argument(v.Index(i).Interface(), false)
		if err != nil {
			return nil, err
		}
		out[i] = e
	}
	return out, nil
}

// checkText refuses what PostgreSQL can't store and SQLite would.
func checkText(s string) error {
	if strings.IndexByte(s, 0) >= 0 {
		return fault.New(fault.Invalid, "bad_text", "text holds a NUL character")
	}
	if !utf8.ValidString(s) {
		return fault.New(fault.Invalid, "bad_text", "text isn't valid UTF-8")
	}
	return nil
}
