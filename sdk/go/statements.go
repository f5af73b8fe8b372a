package arborlog

// A Statement is what somebody says: one of the 16 kinds of docs/format.md, section 6. The tag of a field is its name there,
// and its limits; an option is a pointer.
type Statement interface {
	// Kind is the statement's kind as JSON names it.
	Kind() string
}

// Genesis begins a ledger.
type Genesis struct {
	Format    uint32    `arb:"format,version"`
	Origin    string    `arb:"origin,max=200,form=origin"`
	Programme string    `arb:"programme,max=500"`
	Governors []Bytes32 `arb:"governors,min=1,max=16"`
	Quorum    uint8     `arb:"quorum"`
	LogKey    Bytes32   `arb:"log_key"`
	MldsaKey  *MldsaKey `arb:"mldsa_key"`
}

// Governors is the complete new set of governors.
type Governors struct {
	Governors []Bytes32 `arb:"governors,min=1,max=16"`
	Quorum    uint8     `arb:"quorum"`
	Set       uint64    `arb:"set"`
}

// KeyGrant gives a key a role.
type KeyGrant struct {
	Key         Bytes32 `arb:"key"`
	Role        Role    `arb:"role"`
	Holder      string  `arb:"holder,max=64,form=slug"`
	DisplayName string  `arb:"display_name,max=100"`
	ExpiresOn   *Day    `arb:"expires_on"`
	Set         uint64  `arb:"set"`
}

// KeyRevoke ends a key's role.
type KeyRevoke struct {
	Key              Bytes32 `arb:"key"`
	Reason           string  `arb:"reason,max=300"`
	CompromisedSince *Day    `arb:"compromised_since"`
	Set              uint64  `arb:"set"`
}

// LogKey names the next key that signs checkpoints.
type LogKey struct {
	Key      Bytes32   `arb:"key"`
	MldsaKey *MldsaKey `arb:"mldsa_key"`
	Set      uint64    `arb:"set"`
}

// Activity is what a method gives points for.
type Activity struct {
	Code   uint16 `arb:"code"`
	Name   string `arb:"name,max=60"`
	Unit   string `arb:"unit,max=20"`
	Factor uint64 `arb:"factor"`
	Cap    uint64 `arb:"cap"`
}

// Species is what points can promise.
type Species struct {
	Code  uint16 `arb:"code"`
	Name  string `arb:"name,max=100"`
	Price uint64 `arb:"price"`
}

// Method is a version of a method by which points are reckoned.
type Method struct {
	ID            uint32     `arb:"id"`
	Version       uint32     `arb:"version"`
	EffectiveFrom Day        `arb:"effective_from"`
	Activities    []Activity `arb:"activities,max=128"`
	Species       []Species  `arb:"species,max=400"`
	Baseline      string     `arb:"baseline,max=1000"`
	Sources       string     `arb:"sources,max=1000"`
	Jurisdiction  string     `arb:"jurisdiction,max=200"`
	Document      Bytes32    `arb:"document"`
	Set           uint64     `arb:"set"`
}

// Award gives points for something that an account did. Quantity is in thousandths of the activity's unit, and Points are
// quantity × factor ÷ 10⁹, rounded down: see Points.
type Award struct {
	Account    Bytes32 `arb:"account"`
	Method     uint32  `arb:"method"`
	Version    uint32  `arb:"version"`
	Activity   uint16  `arb:"activity"`
	Quantity   uint64  `arb:"quantity"`
	Points     uint64  `arb:"points"`
	OccurredOn Day     `arb:"occurred_on"`
	Evidence   Bytes32 `arb:"evidence"`
}

// Transfer moves points out of an account: to another one with the reasons gift, collected and pooled, else to nobody.
type Transfer struct {
	From   Bytes32  `arb:"from"`
	To     *Bytes32 `arb:"to"`
	Points uint64   `arb:"points"`
	Reason Reason   `arb:"reason"`
}

// Point is a place on Earth, in ten-millionths of a degree, north and east positive.
type Point struct {
	Latitude  int32 `arb:"latitude,limit=900000000"`
	Longitude int32 `arb:"longitude,limit=1800000000"`
}

// Circle holds a plot.
type Circle struct {
	Latitude  int32  `arb:"latitude,limit=900000000"`
	Longitude int32  `arb:"longitude,limit=1800000000"`
	RadiusM   uint32 `arb:"radius_m"`
}

// Outline is a plot's corners in their order.
type Outline struct {
	Points []Point `arb:"points,min=3,max=500"`
}

// Place is just one of these.
type Place struct {
	Circle  *Circle  `arb:"circle"`
	Outline *Outline `arb:"outline"`
}

// Nothing are the fields of a variant that has none.
type Nothing struct{}

// Issued names the carbon rights that a registry issued.
type Issued struct {
	Registry string `arb:"registry,max=100"`
	ID       string `arb:"id,max=100"`
}

// CarbonRights is just one of these.
type CarbonRights struct {
	NoneIssued *Nothing `arb:"none_issued"`
	Issued     *Issued  `arb:"issued"`
	Unknown    *Nothing `arb:"unknown"`
}

// Plot is a piece of land.
type Plot struct {
	Number        uint32       `arb:"number"`
	Name          string       `arb:"name,max=100"`
	Country       string       `arb:"country,max=2,form=country"`
	Place         Place        `arb:"place"`
	FinerOutline  *Bytes32     `arb:"finer_outline"`
	AreaM2        uint64       `arb:"area_m2"`
	TreesPerHaMax uint32       `arb:"trees_per_ha_max"`
	CarbonRights  CarbonRights `arb:"carbon_rights"`
	FundedBy      string       `arb:"funded_by,max=100"`
	For           []string     `arb:"for,max=16,text=64,form=slug,ascending"`
	Set           *uint64      `arb:"set"`
}

// Planting tells of trees that were planted, with serials in a row.
type Planting struct {
	Plot         uint32  `arb:"plot"`
	Species      uint16  `arb:"species"`
	FirstSerial  uint32  `arb:"first_serial"`
	Count        uint32  `arb:"count,least=1"`
	PlantedFrom  Day     `arb:"planted_from"`
	PlantedUntil Day     `arb:"planted_until"`
	Evidence     Bytes32 `arb:"evidence"`
	EvidenceAt   string  `arb:"evidence_at,max=300,form=web"`
}

// Survey tells how many trees lived.
type Survey struct {
	Plot       uint32   `arb:"plot"`
	Planting   *uint64  `arb:"planting"`
	SurveyedOn Day      `arb:"surveyed_on"`
	AsOf       uint64   `arb:"as_of"`
	Basis      Basis    `arb:"basis"`
	Protocol   string   `arb:"protocol,max=200"`
	Plan       *Bytes32 `arb:"plan"`
	Alive      uint32   `arb:"alive"`
	Dead       uint32   `arb:"dead"`
	NotFound   uint32   `arb:"not_found"`
	DeadKnown  uint32   `arb:"dead_known"`
	Revived    uint32   `arb:"revived"`
	Evidence   Bytes32  `arb:"evidence"`
	EvidenceAt string   `arb:"evidence_at,max=300,form=web"`
	PaidBy     string   `arb:"paid_by,max=100"`
	NextDue    *Day     `arb:"next_due"`
}

// Claim turns points into the promise of a tree. The index of its entry is the certificate's number.
type Claim struct {
	Account Bytes32 `arb:"account"`
	Method  uint32  `arb:"method"`
	Version uint32  `arb:"version"`
	Species uint16  `arb:"species"`
	Points  uint64  `arb:"points"`
}

// Assignment ties claims to trees, one to one in order.
type Assignment struct {
	Plot        uint32   `arb:"plot"`
	FirstSerial uint32   `arb:"first_serial"`
	Claims      []uint64 `arb:"claims,min=1,max=1024"`
}

// Reverse takes points of an award back.
type Reverse struct {
	Points uint64 `arb:"points"`
}

// Lost tells of trees of a planting that are lost.
type Lost struct {
	Count       uint32   `arb:"count,least=1"`
	FirstSerial *uint32  `arb:"first_serial"`
	LostOn      Day      `arb:"lost_on"`
	Evidence    *Bytes32 `arb:"evidence"`
}

// Remedy is just one of these.
type Remedy struct {
	Reverse *Reverse `arb:"reverse"`
	Lost    *Lost    `arb:"lost"`
	Void    *Nothing `arb:"void"`
}

// Correction puts something earlier right.
type Correction struct {
	Target uint64  `arb:"target"`
	Reason string  `arb:"reason,max=300"`
	Remedy Remedy  `arb:"remedy"`
	Set    *uint64 `arb:"set"`
}

// PolicyStatement says which logs and witnesses count: all of a file that c2sp.org/tlog-policy reads.
type PolicyStatement struct {
	Policy string `arb:"policy,max=24576,form=policy"`
	Set    uint64 `arb:"set"`
}

// Attestation is what an auditor says of the ledger's first entries.
type Attestation struct {
	Size        uint64  `arb:"size"`
	TreeRoot    Bytes32 `arb:"tree_root"`
	StateRoot   Bytes32 `arb:"state_root"`
	PeriodFrom  Day     `arb:"period_from"`
	PeriodUntil Day     `arb:"period_until"`
	Level       Level   `arb:"level"`
	Opinion     Opinion `arb:"opinion"`
	Findings    Bytes32 `arb:"findings"`
	Report      Bytes32 `arb:"report"`
	ReportAt    string  `arb:"report_at,max=300"`
	Words       string  `arb:"words,max=1000"`
}

// Seal signs the batch of statements directly before it.
type Seal struct {
	Count uint32  `arb:"count,least=1,most=16384"`
	Root  Bytes32 `arb:"root"`
}

func (*Genesis) Kind() string         { return "genesis" }
func (*Governors) Kind() string       { return "governors" }
func (*KeyGrant) Kind() string        { return "key_grant" }
func (*KeyRevoke) Kind() string       { return "key_revoke" }
func (*LogKey) Kind() string          { return "log_key" }
func (*Method) Kind() string          { return "method" }
func (*Award) Kind() string           { return "award" }
func (*Transfer) Kind() string        { return "transfer" }
func (*Plot) Kind() string            { return "plot" }
func (*Planting) Kind() string        { return "planting" }
func (*Survey) Kind() string          { return "survey" }
func (*Claim) Kind() string           { return "claim" }
func (*Assignment) Kind() string      { return "assignment" }
func (*Correction) Kind() string      { return "correction" }
func (*PolicyStatement) Kind() string { return "policy" }
func (*Attestation) Kind() string     { return "attestation" }
func (*Seal) Kind() string            { return "seal" }

// kinds makes an empty statement of each kind, in the order of their numbers.
var kinds = []func() Statement{
	func() Statement { return new(Genesis) }, func() Statement { return new(Governors) },
	func() Statement { return new(KeyGrant) }, func() Statement { return new(KeyRevoke) },
	func() Statement { return new(LogKey) }, func() Statement { return new(Method) },
	func() Statement { return new(Award) }, func() Statement { return new(Transfer) },
	func() Statement { return new(Plot) }, func() Statement { return new(Planting) },
	func() Statement { return new(Survey) }, func() Statement { return new(Claim) },
	func() Statement { return new(Assignment) }, func() Statement { return new(Correction) },
	func() Statement { return new(PolicyStatement) }, func() Statement { return new(Attestation) },
	func() Statement { return new(Seal) },
}

func kindNumber(kind string) (uint32, bool) {
	for n, empty := range kinds {
		if empty().Kind() == kind {
			return uint32(n), true
		}
	}
	return 0, false
}

// sealedPlaces are the kinds that a seal signs for, with the number of their lineage's places from the third on.
var sealedPlaces = map[string]int{
	"award": 1, "transfer": 2, "planting": 1, "survey": 1, "claim": 1, "assignment": 1, "correction": 3,
}

// CanSeal says whether a statement may stand in a sealed batch: not where governors sign, nor other kinds than these.
func CanSeal(s Statement) bool {
	if c, ok := s.(*Correction); ok && c.Set != nil {
		return false
	}
	_, ok := sealedPlaces[s.Kind()]
	return ok
}

// check is what a statement's fields must be together.
func (t *Transfer) check() error {
	toNobody := t.Reason == Expired || t.Reason == SpentElsewhere
	if toNobody != (t.To == nil) {
		return refuse("not_canonical", "the reason %s and to do not fit: gift, collected and pooled have a receiver, "+
			"expired and spent_elsewhere none", t.Reason)
	}
	return nil
}

func (o *Outline) check() error {
	for i, point := range o.Points {
		before := o.Points[(i+len(o.Points)-1)%len(o.Points)]
		if point == before {
			return &Error{Code: "not_canonical", Where: "points", What: "an outline has the same point twice in a row, or its last one is the first"}
		}
	}
	return nil
}
