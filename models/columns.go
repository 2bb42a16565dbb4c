package models

import (
	"context"
	"slices"
)

// Columns lists every column of the schema as "table.column" with " null" behind it if it may be empty,
// so that the schemas of both databases can be compared.
func (d *DB) Columns(ctx context.Context) ([]string, error) {
	query := `SELECT m.name || '.' || c.name || CASE WHEN c."notnull" = 0 AND c.pk = 0 THEN ' null' ELSE '' END
		FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`
	if d.postgres {
		query = `SELECT table_name || '.' || column_name || CASE WHEN is_nullable = 'YES' THEN ' null' ELSE '' END
			FROM information_schema.columns WHERE table_schema = current_schema()`
	}
	var out []string
	if err := d.reader.WithContext(ctx).Raw(query).Scan(&out).Error; err != nil {
		return nil, err
	}
	out = slices.DeleteFunc(out, func(s string) bool { return len(s) > 6 && s[:6] == "goose_" })
	slices.Sort(out)
	return out, nil
}
