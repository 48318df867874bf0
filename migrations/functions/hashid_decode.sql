-- hashid_decode(hash, salt, min_length, alphabet) reads what hashid_encode wrote. A hash of another salt may decode to
-- wrong numbers: encode again and compare. Raises 22023.
CREATE OR REPLACE FUNCTION hashid_decode(hash text, salt text, min_length int, alphabet text) returns bigint[]
language plpgsql immutable strict parallel safe as $$
declare h record; a text; body text; lot text; parts text[]; part text; n numeric; c text; p int; la int;
  res bigint[] := '{}'; two63 constant numeric := 9223372036854775808;
begin
  h := _hashids_setup(salt, alphabet); a := h.alpha; la := length(a);
  parts := string_to_array(translate(hash, h.guards, repeat(chr(1), length(h.guards))), chr(1));
  body := case when array_length(parts,1) in (2,3) then parts[2] else parts[1] end;
  if body is null or body = '' then raise exception using errcode='22023', message='invalid hash'; end if;
  lot := left(body,1);
  foreach part in array string_to_array(translate(substr(body,2), h.seps, repeat(chr(1), length(h.seps))), chr(1)) loop
    if part = '' then raise exception using errcode='22023', message='invalid hash'; end if;
    a := _hashids_shuffle(a, left(lot || salt || a, la)); n := 0;
    foreach c in array string_to_array(part, null) loop
      p := position(c in a); if p = 0 then raise exception using errcode='22023', message='invalid hash'; end if;
      n := n * la + (p - 1);
    end loop;
    if n >= two63 then n := n - 2 * two63; end if;
    res := res || n::bigint;
  end loop;
  return res;
end $$;
