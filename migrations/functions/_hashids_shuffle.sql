-- _hashids_shuffle(alphabet, salt) is the shuffle of the public Hashids algorithm, one step of id_encode and id_decode.
CREATE OR REPLACE FUNCTION _hashids_shuffle(a text, salt text) returns text language plpgsql immutable strict parallel safe as $$
declare c text[] := string_to_array(a, null); s int[]; n int := length(salt); v int := 0; p int := 0; t text; j int; k int;
begin
  if n = 0 then return a; end if;
  select array_agg(ascii(x)) into s from unnest(string_to_array(salt, null)) x;
  for i in reverse array_length(c,1)-1 .. 1 loop
    v := v % n; k := s[v+1]; p := p + k; j := (k + v + p) % i;
    t := c[i+1]; c[i+1] := c[j+1]; c[j+1] := t; v := v + 1;
  end loop;
  return array_to_string(c, '');
end $$;
