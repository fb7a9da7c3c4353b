package kube

import "fmt"

// managedFields says which fields of an object somebody has set (metav1.ManagedFieldsEntry).
// https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
type managedFields struct {
	Manager     string   `json:"manager,omitempty"`
	Operation   string   `json:"operation"` // Apply or Update
	Subresource string   `json:"subresource,omitempty"`
	APIVersion  string   `json:"apiVersion"`
	Time        string   `json:"time,omitempty"`
	FieldsType  string   `json:"fieldsType"`
	Fields      fieldSet `json:"fieldsV1"`
}

// ours says whether these are the fields that Apply has set.
func (m managedFields) ours() bool {
	return m.Manager == manager && m.Operation == "Apply" && m.Subresource == ""
}

// fieldSet is a tree of fields. What it calls f:ports is the field ports, and k:{"port":1,"protocol":"TCP"} is the item
// of a list that has these values. A field without any below it is in the set itself, as is one that has a field ".".
type fieldSet map[string]fieldSet

func (f fieldSet) has(path []string) bool {
	for _, name := range path {
		if f[name] == nil {
			return false
		}
		f = f[name]
	}
	return true
}

func (f fieldSet) add(path []string) {
	for _, name := range path {
		if f[name] == nil {
			f[name] = fieldSet{}
		}
		f = f[name]
	}
}

// remove takes a field out, and those above it that were in the set only as the way to it.
func (f fieldSet) remove(path []string) {
	if !f.has(path) {
		return
	}
	name, below := path[0], path[1:]
	if len(below) > 0 {
		f[name].remove(below)
	}
	if len(below) == 0 || len(f[name]) == 0 {
		delete(f, name)
	}
}

// path is where a port is in a fieldSet.
func (k portKey) path() []string {
	return []string{"f:spec", "f:ports", fmt.Sprintf(`k:{"port":%d,"protocol":%q}`, k.port, k.protocol)}
}

// clinging returns those of a Service's ports that are not wanted and that an apply without them would leave: it takes
// away what an earlier apply of the same manager brought, unless somebody else has set it, too.
func (w *wireService) clinging(wanted []ServicePort) []portKey {
	var keys []portKey
	for _, raw := range w.Spec.Ports {
		p := readPort(raw)
		if hasKey(wanted, p) {
			continue
		}
		var ours, others bool
		for _, m := range w.Metadata.ManagedFields {
			if m.Fields.has(p.key().path()) {
				ours, others = ours || m.ours(), others || !m.ours()
			}
		}
		if !ours || others {
			keys = append(keys, p.key())
		}
	}
	return keys
}

// claimed returns an object's managed fields as they are once ports belong to Apply alone. It changes those it is given.
func claimed(all []managedFields, ports []portKey) []managedFields {
	own := managedFields{Manager: manager, Operation: "Apply", APIVersion: "v1", FieldsType: "FieldsV1", Fields: fieldSet{}}
	var entries []managedFields
	for _, m := range all {
		if m.ours() {
			own = m
			continue
		}
		for _, key := range ports {
			m.Fields.remove(key.path())
		}
		if len(m.Fields) > 0 {
			entries = append(entries, m)
		}
	}
	for _, key := range ports {
		own.Fields.add(key.path())
	}
	return append(entries, own)
}
