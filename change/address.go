package change

import "fmt"

// Address names an object in the catalogs of the master, as pg_depend does: the OID of the
// catalog that holds it, and the OID of its row there. It lives as long as the object, whatever
// the object is called. Address{} stands for the server itself.
type Address struct {
	Class uint32 `json:"class"`
	OID   uint32 `json:"oid"`
}

func (a Address) String() string { return fmt.Sprintf("%d/%d", a.Class, a.OID) }

// Relation is the OID of a relation (a table, an index, a view, a sequence), if it is the address of one.
func (a Address) Relation() (oid uint32, is bool) { return a.OID, a.Class == inClass }

// FirstUserOID is the first OID of what is not built in (FirstNormalObjectId in access/transam.h).
const FirstUserOID = 16384

// LSNOID is the OID of the type pg_lsn.
const LSNOID = 3220
