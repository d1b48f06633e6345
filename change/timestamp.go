package change

import "time"

// epoch is the zero of PostgreSQL's timestamps, in microseconds.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// Timestamp is a time as PostgreSQL stores and sends it: the microseconds since 2000.
func Timestamp(t time.Time) int64 { return t.UnixMicro() - epoch }

// TimeOf is the time of a timestamp, in UTC.
func TimeOf(timestamp int64) time.Time { return time.UnixMicro(epoch + timestamp).UTC() }
