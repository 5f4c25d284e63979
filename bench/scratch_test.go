package bench_test
import ("testing";"fmt";"os";"time";"sort";"strings")
func TestScratch(t *testing.T){
 w:=openWorld(t); ctx:=t.Context()
 a:=inProcess{w.api,w.who}
 for _,c:=range comparisons(w){ if c.id!="b"&&c.id!="j"&&c.id!="h"{continue}
  q,v:=c.document(c.roots); q=strings.ReplaceAll(q,"coverage { verdict complete }","coverage { verdict complete connections { stream state missing rowsReturned rowsScanned native took} }")
  d,err:=a.ask(ctx,q,v); if err!=nil{fmt.Println(err); q=strings.ReplaceAll(q," took",""); d,err=a.ask(ctx,q,v); fmt.Println(err)}
  os.WriteFile("/tmp/cov_"+c.id+".json",d,0o644)
 }
 q:=func(name,s string){ var ts []float64; var n int64
  for range 4 { b:=time.Now(); a,err:=w.raw.run(ctx,s,false); if err!=nil{fmt.Println(name,err.Error()[:200]);return}; ts=append(ts,float64(time.Since(b).Microseconds())/1000); n=a.rows }
  sort.Float64s(ts); fmt.Printf("%-28s rows %7d min %.1f med %.1f\n",name,n,ts[0],ts[2]) }
 M:=w.raw.table("module_activity",anyDay)
 in:="'"+strings.Join(w.hashes,"','")+"'"
 low:=strings.ToLower(in)
 alt:=strings.Join(w.hashes,"|")
 C:=`"module.file.hashes"`
 q("now",`SELECT uid,time FROM `+M+` WHERE len(list_filter(`+C+`, lambda x: lower(struct_extract(x,'value')) IN (`+low+`) AND strlen(struct_extract(x,'value'))=strlen(lower(struct_extract(x,'value')))))>0 ORDER BY time,uid`)
 q("exists",`SELECT uid,time FROM `+M+` e WHERE EXISTS(SELECT 1 FROM (SELECT unnest(e.`+C+`) x) WHERE lower(x.value) IN (`+low+`)) ORDER BY time,uid`)
 q("uid in",`WITH events AS NOT MATERIALIZED (SELECT * FROM `+M+`) SELECT uid,time FROM events WHERE uid IN (SELECT uid FROM (SELECT uid,unnest(`+C+`) x FROM events) WHERE lower(x.value) IN (`+low+`)) ORDER BY time,uid`)
 q("re lambda",`SELECT uid,time FROM `+M+` WHERE len(list_filter(`+C+`, lambda x: regexp_matches(x.value, '(?i)\A(?:`+alt+`)\z')))>0 ORDER BY time,uid`)
 q("re joined",`SELECT uid,time FROM `+M+` WHERE regexp_matches(array_to_string([x.value for x in `+C+`],chr(10)), '(?im)^(?:`+alt+`)$') ORDER BY time,uid`)
 q("map",`SELECT uid,time FROM `+M+` WHERE len(list_filter(`+C+`, lambda x: list_contains((SELECT list(v) FROM (VALUES (`+strings.ReplaceAll(low,",","),(")+`)) t(v)), lower(x.value))))>0 ORDER BY time,uid`)
}
