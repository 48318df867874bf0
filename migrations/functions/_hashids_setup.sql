-- _hashids_setup(salt, alphabet) splits an alphabet into letters, separators and guards, as the public Hashids algorithm does.
-- Raises 22023.
CREATE OR REPLACE FUNCTION _hashids_setup(salt text, alphabet text, out alpha text, out seps text, out guards text)
language plpgsql immutable strict parallel safe as $$
declare d int; g int; want int; c text;
begin
  if alphabet ~ '\s' then raise exception using errcode='22023', message='alphabet contains whitespace characters'; end if;
  alpha := ''; seps := '';
  foreach c in array string_to_array(alphabet, null) loop
    if position(c in alpha) = 0 then alpha := alpha || c; end if;
  end loop;
  if length(alpha) < 16 then raise exception using errcode='22023', message='alphabet is too short'; end if;
  foreach c in array string_to_array('cfhistuCFHISTU', null) loop
    if position(c in alpha) > 0 then seps := seps || c; alpha := replace(alpha, c, ''); end if;
  end loop;
  seps := _hashids_shuffle(seps, salt);
  if length(seps) = 0 or length(alpha)::float8 / length(seps) > 3.5 then
    want := greatest(ceil(length(alpha) / 3.5)::int, 2);
    if want > length(seps) then
      d := want - length(seps); seps := seps || left(alpha, d); alpha := substr(alpha, d+1);
    else
      seps := left(seps, want);
    end if;
  end if;
  alpha := _hashids_shuffle(alpha, salt);
  g := ceil(length(alpha) / 12.0)::int;
  if length(alpha) < 3 then guards := left(seps, g); seps := substr(seps, g+1);
  else guards := left(alpha, g); alpha := substr(alpha, g+1); end if;
end $$;
