-- hashid_encode(numbers, salt, min_length, alphabet) writes numbers as a short text: the public Hashids algorithm, the same
-- output as the pg_hashids extension's id_encode. Raises 22004, 22023.
CREATE OR REPLACE FUNCTION hashid_encode(numbers bigint[], salt text, min_length int, alphabet text) returns text
language plpgsql immutable strict parallel safe as $$
declare h record; a text; r text; lot text; buf text; last text; n numeric; m numeric; hash numeric := 0;
  la int; half int; ex int; two64 constant numeric := 18446744073709551616;
begin
  if array_position(numbers, null) is not null then
    raise exception using errcode='22004', message='null value not allowed for array element';
  end if;
  h := _hashids_setup(salt, alphabet); a := h.alpha; la := length(a);
  for i in 1 .. coalesce(array_length(numbers,1),0) loop
    n := numbers[i]; if n < 0 then n := n + two64; end if;
    hash := hash + n % (i - 1 + 100);
  end loop;
  lot := substr(a, (hash % la)::int + 1, 1); r := lot;
  for i in 1 .. coalesce(array_length(numbers,1),0) loop
    n := numbers[i]; if n < 0 then n := n + two64; end if;
    buf := lot || salt || a; a := _hashids_shuffle(a, left(buf, la));
    last := ''; m := n;
    loop last := substr(a, (m % la)::int + 1, 1) || last; m := div(m, la); exit when m = 0; end loop;
    r := r || last;
    if i < array_length(numbers,1) then
      r := r || substr(h.seps, ((n % (ascii(last) + i - 1)) % length(h.seps))::int + 1, 1);
    end if;
  end loop;
  if length(r) < min_length then
    r := substr(h.guards, ((hash + ascii(r)) % length(h.guards))::int + 1, 1) || r;
    if length(r) < min_length then
      r := r || substr(h.guards, ((hash + ascii(substr(r,3,1))) % length(h.guards))::int + 1, 1);
    end if;
    half := la / 2;
    while length(r) < min_length loop
      a := _hashids_shuffle(a, a); r := substr(a, half+1) || r || left(a, half);
      ex := length(r) - min_length;
      if ex > 0 then r := substr(r, ex/2 + 1, min_length); end if;
    end loop;
  end if;
  return r;
end $$;
