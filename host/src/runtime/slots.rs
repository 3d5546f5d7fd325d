//! No slot of the pool shows a guest what an earlier one left.
//!
//! The engine resets slots in several ways: page by page where the kernel tells which were written, by
//! copying or by giving pages back otherwise, up to an amount that is kept in memory and beyond it. So guests soil
//! their memories and tables in several patterns and end in several ways, and the next ones, of the same
//! and of another component, look at every byte. The pool is so small that every slot is used again.

use std::pin::pin;
use std::task::Poll;

use wasmtime::component::{Component, Instance, InstancePre, Linker};
use wasmtime::{Engine, Store};

use super::RuntimeSettings;
use super::engine::engine;

/// Two memories of 5 pages (320 KiB: more than a slot keeps) that grow to 64, and two tables; `image` is what a
/// fresh memory holds, at its start, around what is kept, and at its end.
fn component(image: &str) -> String {
    format!(
        r#"
(component
  (import "pause" (func $pause))
  (core module $m
    (import "" "pause" (func $pause))
    (memory 5 64)
    (table $t 500 2000 funcref)
    (elem declare func $some)
    (data (i32.const 1024) "{image}")
    (data (i32.const 131068) "{image}")
    (data (i32.const 327672) "{image}")
    (func $some)
    (func $size (result i32) (i32.mul (memory.size) (i32.const 65536)))
    ;; Every byte from $at on, $step apart.
    (func $soil (param $at i32) (param $step i32)
      (block $end
        (loop $next
          (br_if $end (i32.ge_u (local.get $at) (call $size)))
          (i32.store8 (local.get $at) (i32.const 0xA5))
          (local.set $at (i32.add (local.get $at) (local.get $step)))
          (br $next))))
    ;; 0: all bytes; 1: one byte a page; 2: only what was grown; 3: only the last byte; 4: only the first half.
    (func (export "soil") (param $how i32) (param $grow i32)
      (local $end i32)
      (local.set $end (call $size))
      (drop (memory.grow (local.get $grow)))
      (drop (table.grow $t (ref.func $some) (i32.const 700)))
      (table.fill $t (i32.const 0) (ref.func $some) (i32.const 500))
      (if (i32.eq (local.get $how) (i32.const 0)) (then (call $soil (i32.const 0) (i32.const 1))))
      (if (i32.eq (local.get $how) (i32.const 1)) (then (call $soil (i32.const 77) (i32.const 4096))))
      (if (i32.eq (local.get $how) (i32.const 2)) (then (call $soil (local.get $end) (i32.const 64))))
      (if (i32.eq (local.get $how) (i32.const 3))
        (then (i32.store8 (i32.sub (call $size) (i32.const 1)) (i32.const 0xA5))))
      (if (i32.eq (local.get $how) (i32.const 4))
        (then (memory.fill (i32.const 0) (i32.const 0xA5) (i32.const 160000)))))
    (func (export "trap") unreachable)
    (func (export "spin") (loop $for_ever (br $for_ever)))
    (func (export "pause") (call $pause))
    ;; A sum that any byte changes, with its place: of the memory as it is, then grown by $grow.
    (func (export "look") (param $grow i32) (result i64)
      (local $at i32) (local $sum i64)
      (drop (memory.grow (local.get $grow)))
      (loop $next
        (local.set $sum
          (i64.add (i64.mul (local.get $sum) (i64.const 1099511628211)) (i64.load (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $next (i32.lt_u (local.get $at) (call $size))))
      (local.get $sum))
    ;; How many entries of the table are set.
    (func (export "entries") (result i32)
      (local $at i32) (local $set i32)
      (drop (table.grow $t (ref.null func) (i32.const 700)))
      (loop $next
        (if (i32.eqz (ref.is_null (table.get $t (local.get $at))))
          (then (local.set $set (i32.add (local.get $set) (i32.const 1)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $at) (table.size $t))))
      (local.get $set)))
  (core func $pause' (canon lower (func $pause)))
  (core instance $imports (export "pause" (func $pause')))
  (core instance $a (instantiate $m (with "" (instance $imports))))
  (core instance $b (instantiate $m (with "" (instance $imports))))
  (func (export "soil-a") (param "how" u32) (param "grow" u32) (canon lift (core func $a "soil")))
  (func (export "soil-b") (param "how" u32) (param "grow" u32) (canon lift (core func $b "soil")))
  (func (export "trap") (canon lift (core func $a "trap")))
  (func (export "spin") (canon lift (core func $a "spin")))
  (func (export "pause") (canon lift (core func $a "pause")))
  (func (export "look-a") (param "grow" u32) (result u64) (canon lift (core func $a "look")))
  (func (export "look-b") (param "grow" u32) (result u64) (canon lift (core func $b "look")))
  (func (export "entries-a") (result u32) (canon lift (core func $a "entries")))
  (func (export "entries-b") (result u32) (canon lift (core func $b "entries"))))
"#
    )
}

#[derive(Debug, Clone, Copy)]
enum End {
    Returns,
    Traps,
    RunsOutOfFuel,
    IsDroppedInACall,
}

type Live = (Store<()>, Instance);

async fn start(engine: &Engine, pre: &InstancePre<()>) -> Live {
    let mut store = Store::new(engine, ());
    store.set_fuel(1_000_000_000).unwrap();
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    let instance = pre.instantiate_async(&mut store).await.unwrap();
    (store, instance)
}

async fn call<P, R>((store, instance): &mut Live, name: &str, params: P) -> wasmtime::Result<R>
where
    P: wasmtime::component::ComponentNamedList + wasmtime::component::Lower + Send + Sync + 'static,
    R: wasmtime::component::ComponentNamedList + wasmtime::component::Lift + Send + Sync + 'static,
{
    let function = instance.get_typed_func::<P, R>(&mut *store, name)?;
    function.call_async(store, params).await
}

/// What the guest sees: its memories as they are, grown by a few pages and to the end; set entries of its tables.
async fn seen(live: &mut Live) -> Vec<u64> {
    let mut seen = Vec::new();
    for grow in [0_u32, 3, 56] {
        for name in ["look-a", "look-b"] {
            seen.push(call::<_, (u64,)>(live, name, (grow,)).await.unwrap().0);
        }
    }
    for name in ["entries-a", "entries-b"] {
        seen.push(u64::from(call::<_, (u32,)>(live, name, ()).await.unwrap().0));
    }
    seen
}

async fn soil(live: &mut Live, how: u32, grow: u32) {
    for name in ["soil-a", "soil-b"] {
        call::<_, ()>(live, name, (how, grow)).await.unwrap();
    }
}

async fn end(mut live: Live, end: End) {
    match end {
        End::Returns => {}
        End::Traps => call::<_, ()>(&mut live, "trap", ())
            .await
            .unwrap_err()
            .downcast_ref::<wasmtime::Trap>()
            .map(|trap| assert_eq!(*trap, wasmtime::Trap::UnreachableCodeReached))
            .unwrap(),
        End::RunsOutOfFuel => {
            live.0.set_fuel(100_000).unwrap();
            let error = call::<_, ()>(&mut live, "spin", ()).await.unwrap_err();
            assert_eq!(error.downcast_ref::<wasmtime::Trap>(), Some(&wasmtime::Trap::OutOfFuel));
        }
        End::IsDroppedInACall => {
            let mut paused = pin!(call::<_, ()>(&mut live, "pause", ()));
            let polled = std::future::poll_fn(|context| Poll::Ready(paused.as_mut().poll(context))).await;
            assert!(polled.is_pending());
        }
    }
}

#[tokio::test]
async fn no_slot_shows_what_an_earlier_guest_left() {
    // Two guests at a time, so four memories: each guest takes two, and all are in use again and again.
    let settings = RuntimeSettings { instances: 2, max_memory_mib: 4, ..RuntimeSettings::default() };
    let engine = engine(&settings).unwrap();
    let mut linker = Linker::new(&engine);
    linker
        .root()
        .func_wrap_async("pause", |_, (): ()| Box::new(std::future::pending::<wasmtime::Result<()>>()))
        .unwrap();
    let components: Vec<InstancePre<()>> = ["caspian!", "another."]
        .iter()
        .map(|image| {
            let bytes = wat::parse_str(component(image)).unwrap();
            linker.instantiate_pre(&Component::from_binary(&engine, &bytes).unwrap()).unwrap()
        })
        .collect();
    let mut fresh = Vec::new();
    for pre in &components {
        let mut live = start(&engine, pre).await;
        fresh.push(seen(&mut live).await);
    }
    assert_ne!(fresh[0], fresh[1], "the images differ");
    assert_eq!(fresh[0][6..], [0, 0], "a fresh table is empty");

    for how in 0..5 {
        for (round, ending) in
            [End::Returns, End::Traps, End::RunsOutOfFuel, End::IsDroppedInACall].into_iter().enumerate()
        {
            for grow in [0, 1, 59] {
                let (soiler, other) = (round % 2, (round + 1) % 2);
                // Both places of the pool are soiled at the same time.
                let mut first = start(&engine, &components[soiler]).await;
                let mut second = start(&engine, &components[soiler]).await;
                soil(&mut first, how, grow).await;
                soil(&mut second, how, grow).await;
                if how != 2 || grow > 0 {
                    // That the look would notice.
                    let soiled = call::<_, (u64,)>(&mut first, "look-a", (0_u32,)).await.unwrap().0;
                    assert_ne!(soiled, fresh[soiler][0], "nothing was soiled");
                }
                end(first, ending).await;
                end(second, ending).await;
                for pre in [soiler, other] {
                    let mut first = start(&engine, &components[pre]).await;
                    let mut second = start(&engine, &components[pre]).await;
                    for live in [&mut first, &mut second] {
                        let seen = seen(live).await;
                        assert_eq!(seen, fresh[pre], "pattern {how}, grown by {grow}, {ending:?}");
                    }
                }
            }
        }
    }
}
