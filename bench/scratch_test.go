package bench_test
import ("testing";"fmt";"time";"strings";"regexp";"github.com/harrier-xdr/harrier/hunt";"github.com/harrier-xdr/harrier/schema/ocsf")
func TestScratch(t *testing.T){
 w:=openWorld(t); ctx:=t.Context()
 q:=func(name,s string){ best:=time.Hour; var n int64; for range 5 { b:=time.Now(); a,err:=w.raw.run(ctx,s,false); if err!=nil{fmt.Println("sql",name,err.Error()[:300]);return}; best=min(best,time.Since(b)); n=a.rows }; fmt.Printf("sql %-28s rows %7d %v\n",name,n,best.Round(time.Millisecond)) }
 sc:=ocsf.ByName("script_activity"); S:=w.raw.table("script_activity",anyDay); V:=`"script.script_content.value"`
 fold:=func(k string)string{ var b strings.Builder; for _,r:=range k{ if r>='a'&&r<='z'{fmt.Fprintf(&b,"[%c%c]",r,r-32)}else{b.WriteString(regexp.QuoteMeta(string(r)))}}; return b.String()}
 var f,p []string; var or hunt.Or
 for _,k:=range w.keywords{f=append(f,"(?:"+fold(k)+")"); p=append(p,regexp.QuoteMeta(k)); pr,_:=hunt.NewPredicate(sc.Column("script.script_content.value"),hunt.Contains,false,hunt.String(k)); or=append(or,pr)}
 esc:=func(s string)string{return strings.ReplaceAll(s,"'","''")}
 q("classes one",`SELECT uid,time,`+V+` FROM `+S+` WHERE regexp_matches(`+V+`,'`+esc(strings.Join(f,"|"))+`') ORDER BY time,uid`)
 q("(?i) one",`SELECT uid,time,`+V+` FROM `+S+` WHERE regexp_matches(`+V+`,'(?i)`+esc(strings.Join(p,"|"))+`') ORDER BY time,uid`)
 for _,k:=range []int{2,4,8}{ var parts []string; for i:=range k { parts=append(parts,`regexp_matches(`+V+`,'`+esc(strings.Join(f[i*len(f)/k:(i+1)*len(f)/k],"|"))+`')`)}
 q(fmt.Sprint("classes split ",k),`SELECT uid,time,`+V+` FROM `+S+` WHERE (`+strings.Join(parts," OR ")+`) ORDER BY time,uid`)}
 tr,_:=w.lake.Translate(hunt.Request{Stream:"windows.powershell",Class:sc,Range:allTimes(),Where:or,Limit:10001,Columns:[]string{"script.script_content.value"}})
 q("lake text","WITH events AS NOT MATERIALIZED (SELECT * FROM "+S+")\n"+tr.Native); fmt.Println("sql regexps",strings.Count(tr.Native,"regexp_matches"))
 au:=ocsf.ByName("authentication"); pr,_:=hunt.NewPredicate(au.Column("status_id"),hunt.Eq,false,hunt.Int(2))
 for range 3 { tr,_:=w.lake.Translate(hunt.Request{Stream:"aws.cloudtrail",Class:au,Range:allTimes(),Where:pr,Order:hunt.TimeDesc,Limit:101,Columns:[]string{"user.name"}})
 b:=time.Now(); for fr,_:=range w.lake.Search(ctx,tr){ if x,ok:=fr.(*hunt.Batch);ok{fmt.Println("sql first page",x.Record.NumRows(),time.Since(b).Round(time.Millisecond)); break}}
 b=time.Now(); for range w.lake.Search(ctx,tr){}; fmt.Println("sql all pages",time.Since(b).Round(time.Millisecond))}
 q("one file list auth",`SELECT uid,time FROM `+w.raw.table("authentication",anyDay)+` WHERE status_id=2 ORDER BY time DESC,uid DESC LIMIT 101`)
}
